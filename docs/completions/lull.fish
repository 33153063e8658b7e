# Completion of lull in fish: commands and options as `lull help` lists them.
function __lull_commands
    lull help 2>/dev/null | string replace -rf '^  ([a-z]+)  +(.*)$' '$1\t$2'
end
function __lull_options
    set -l words (commandline -opc)
    test (count $words) -ge 2; or return
    lull help $words[2] --all 2>/dev/null | string replace -rf '^  (?:-., |    )(--[a-z0-9-]+)(?: \S+)?(?:  +(.*))?$' '$1\t$2'
end
function __lull_values
    set -l words (commandline -opc)
    test (count $words) -ge 3; or return
    lull help $words[2] --all 2>/dev/null |
        string replace -rf -- "^ .*  $words[-1] ([a-z]+(?:\|[a-z0-9]+)+)(?: .*)?\$" '$1' | string split '|'
end
complete -c lull -n 'count (__lull_values) >/dev/null' -f -a '(__lull_values)'
complete -c lull -n 'test (count (commandline -opc)) -eq 1' -f -a '(__lull_commands) help'
complete -c lull -n 'test (count (commandline -opc)) -eq 2; and test (commandline -opc)[2] = help' -f -a '(__lull_commands)'
complete -c lull -n 'string match -q -- "-*" (commandline -ct)' -f -a '(__lull_options)'
