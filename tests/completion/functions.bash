_townlet_run_dirs() {
  local run names="latest"
  for run in runs/*/*/config.yaml runs/ladder/*/*/config.yaml; do
    run=${run%/config.yaml}
    [[ -e $run ]] && names+=" ${run##*/}"
  done
  compgen -W "$names" -- "$1"
  compgen -d -- "$1"
}
_townlet_level_files() {
  compgen -W "@LEVELS@" -- "$1"
  compgen -f -X '!*.yaml' -- "$1"
  compgen -d -- "$1"
}
_townlet_settings() {
  case $1 in
    *=*) compgen -W "$(_townlet_values "${1%%=*}")" -- "${1#*=}" ;;
    *) compgen -W "@KEYS@" -- "$1" ;;
  esac
}
_townlet_values() {
  case $1 in
@VALUES@
  esac
}
# Bash parts words at each "=", also what follows --set.
_townlet() {
  local -a joined=()
  local word i count=0 at=0
  for ((i = 0; i < ${#COMP_WORDS[@]}; i++)); do
    word=${COMP_WORDS[i]}
    if ((count > 1)) && [[ ${joined[count-2]} == --set && -n $word && ($word == "=" || ${joined[count-1]} == *=) ]]; then
      joined[count-1]+=$word
    else
      joined[count++]=$word
    fi
    ((i == COMP_CWORD)) && at=$((count - 1))
  done
  local -a COMP_WORDS=("${joined[@]}")
  local COMP_CWORD=$at
  _shtab_townlet
  [[ ${COMPREPLY[0]-} == *[=.] ]] && compopt -o nospace 2> /dev/null
  return 0
}
