# Completion of lull in bash: commands, options and their values as `lull help` lists them.
_lull() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} program=${COMP_WORDS[0]}
    local command=${COMP_WORDS[1]} help
    COMPREPLY=()
    if ((COMP_CWORD == 1)) || { ((COMP_CWORD == 2)) && [[ $command == help ]]; }; then
        help=$("$program" help 2>/dev/null | sed -n 's/^  \([a-z]*\)  .*/\1/p')
        ((COMP_CWORD == 1)) && help+=$'\nhelp\n--help\n--version'
        COMPREPLY=($(compgen -W "$help" -- "$word"))
        return
    fi
    help=$("$program" help "$command" --all 2>/dev/null)
    if [[ $before == --* && $help =~ \ $before\ ([a-z]+(\|[a-z0-9]+)+) ]]; then # as in '--postnet auto|on|off'
        COMPREPLY=($(compgen -W "${BASH_REMATCH[1]//|/ }" -- "$word"))
        return
    fi
    case $before in
    -f | --format) [[ $help == *"--format "* ]] && { COMPREPLY=($(compgen -W "pcm16 pcm24 float" -- "$word")); return; } ;;
    --layout) COMPREPLY=($(compgen -W "bands-first frames-first" -- "$word")); return ;;
    --from) COMPREPLY=($(compgen -W "ln log10 db linear" -- "$word")); return ;;
    -S | --sampler) COMPREPLY=($(compgen -W "ddpm fast ddim euler heun" -- "$word")); return ;;
    -p | --precision) COMPREPLY=($(compgen -W "auto f32 bf16" -- "$word")); return ;;
    -c | --convention) [[ $help == *"--convention "* ]] && { COMPREPLY=($(compgen -W "hifigan-22k hifigan-16k tacotron2-22k vocos-24k bigvgan-24k cosyvoice2-24k seedvc-22k styletts2-24k speecht5-16k parallelwavegan-24k parallelwavegan-22k coqui-22k diffsinger-44k diffwave-22k" -- "$word")); return; } ;;
    --mel) [[ $command == eval ]] && { COMPREPLY=($(compgen -W "exact smoothed" -- "$word")); return; } ;;
    esac
    if [[ $word == -* ]]; then
        COMPREPLY=($(compgen -W "$(grep -oE '^  (-., |    )--[a-z0-9-]+' <<<"$help" | grep -oE -- '--[a-z0-9-]+')" -- "$word"))
    else
        compopt -o filenames 2>/dev/null
        COMPREPLY=($(compgen -f -- "$word"))
    fi
}
complete -F _lull lull
