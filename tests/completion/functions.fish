function _townlet_run_dirs
  set -l configs runs/*/*/config.yaml runs/ladder/*/*/config.yaml
  echo latest
  string replace -r '.*/([^/]+)/config.yaml$' '$1' -- $configs
  __fish_complete_directories (commandline -ct)
end
function _townlet_level_files
  printf '%s\n' @LEVELS@
  __fish_complete_suffix .yaml
end
function _townlet_settings
  set -l parted (string split -m 1 = -- (commandline -ct))
  if set -q parted[2]
    printf "$parted[1]=%s\n" (_townlet_values $parted[1])
  else
    printf '%s\n' @KEYS@
  end
end
function _townlet_values
  switch $argv[1]
@VALUES@
  end
end
