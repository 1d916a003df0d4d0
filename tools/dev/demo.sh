# ./dev demo [EXAMPLE] [--break]. Sourced by ./dev.

demo() {
  local example=bookinfo arguments=()
  while [ $# -gt 0 ]; do
    case "$1" in
      --*) arguments+=("$1") ;;
      *) example=$1 ;;
    esac
    shift
  done
  [ -x "examples/$example/demo.sh" ] || die "there is no demo of \`$example\`" "examples are: $(cd examples && echo */)"
  require_root
  say "./dev demo: packages (up to 2 GB installed) and a build (1 GB below build/); about 10 minutes on 2 CPUs the first time"
  deps demo
  unpack_peers "${demo_peers[@]}"
  build dev heddle heddled
  as_root "examples/$example/demo.sh" "${arguments[@]}"
}
