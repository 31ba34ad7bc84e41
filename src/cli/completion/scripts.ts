/** The scripts that make a shell ask sluice what may stand at the cursor. They hold no list of their own, so they never grow old. */

/**
 * What `sluice complete` prints: a first line, `files` or `words`, then a line each: the word, a tab, what it means.
 * Bash cuts words at `:` and `=`; what of the word stands before that is taken off again.
 */
const bash = `# sluice completion for bash: eval "$(sluice completion bash)"
_sluice_complete() {
  local line="\${COMP_LINE:0:COMP_POINT}" current="\${COMP_WORDS[COMP_CWORD]}" kind= whole word prefix
  local -a found=()
  COMPREPLY=()
  while IFS=$'\\t' read -r word _; do
    if [[ -z $kind ]]; then kind=$word; else found+=("$word"); fi
  done < <(sluice complete --line "$line" 2>/dev/null)
  whole="\${line##*[[:space:]]}"
  prefix="\${whole%"$current"}"
  [[ $current == [:=] ]] && prefix=$whole
  for word in "\${found[@]}"; do COMPREPLY+=("$(printf '%q' "\${word#"$prefix"}")"); done
  if [[ \${#COMPREPLY[@]} -eq 1 && \${COMPREPLY[0]} == *[:/=] ]]; then compopt -o nospace 2>/dev/null; fi
  if [[ $kind == files ]]; then
    [[ $current == [:=] ]] && current=
    while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -f -- "$current")
    compopt -o filenames 2>/dev/null
  fi
}
complete -F _sluice_complete sluice
`;

const zsh = `#compdef sluice
# sluice completion for zsh: eval "$(sluice completion zsh)"
_sluice_complete() {
  local kind= line word meaning
  local -a words_found shown
  while IFS=$'\\t' read -r word meaning; do
    if [[ -z $kind ]]; then
      kind=$word
    else
      words_found+=("$word")
      shown+=("$word\${meaning:+  -- $meaning}")
    fi
  done < <(sluice complete --line "$LBUFFER" 2>/dev/null)
  (( \${#words_found} )) && compadd -l -d shown -- "\${words_found[@]}"
  if [[ $kind == files ]]; then
    compset -P '*:'
    _files
  fi
}
compdef _sluice_complete sluice
`;

const fish = `# sluice completion for fish: sluice completion fish | source
function __sluice_complete
  set -l lines (sluice complete --line (commandline -cp) 2>/dev/null)
  if test "$lines[1]" = files
    __fish_complete_path (commandline -ct)
  end
  printf '%s\\n' $lines[2..-1]
end
complete -c sluice -f -a '(__sluice_complete)'
`;

export const completionScripts: Readonly<Record<string, string>> = { bash, zsh, fish };
