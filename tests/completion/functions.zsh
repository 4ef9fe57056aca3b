_townlet_run_dirs() {
  local -a names=(latest runs/*/*/config.yaml(N:h:t) runs/ladder/*/*/config.yaml(N:h:t))
  compadd -a names
  _files -/
}
_townlet_level_files() {
  local -a ids=(@LEVELS@)
  compadd -a ids
  _files -g '*.yaml'
}
_townlet_settings() {
  local -a found=(@KEYS@)
  if compset -P 1 '*='; then
    found=($(_townlet_values "${IPREFIX%=}"))
    compadd -a found
  else
    compadd -S '' -a found
  fi
}
_townlet_values() {
  case $1 in
@VALUES@
  esac
}
