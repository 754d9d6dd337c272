#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Every file names its licence, is spelled like English, and is good YAML where it is YAML; and
# every test can be run.

cd "$(dirname "$0")/../.." || exit
. tests/lib/lint.sh

mapfile -t files < <(tree_files .)
mapfile -t yaml < <(tree_files '*.yaml' '*.yml' '*.clang-tidy')
check "there are files" [ ${#files[@]} -gt 0 ]
check "there is YAML" [ ${#yaml[@]} -gt 0 ]

for file in "${files[@]}"; do
	head -n 5 "$file" | grep -aq 'SPDX-License-Identifier: GPL-2\.0-only' || echo "$file: names no licence"
done >"$scratch/spdx"
findings spdx <"$scratch/spdx"

# tests/run would leave it out without a word
tree_files tests | while IFS= read -r file; do
	[ -x "$file" ] || ! head -n 1 "$file" | grep -aq '^#!' || echo "$file: begins as a script and cannot be run"
done >"$scratch/modes"
findings modes <"$scratch/modes"

tree_files . ':!tests/fuzz/*/corpus/*' | tr '\n' '\0' | xargs -0 codespell >"$scratch/codespell" 2>&1
findings codespell <"$scratch/codespell"

yamllint --format parsable --config-data '{extends: default, rules: {line-length: {max: 100}}}' \
	"${yaml[@]}" >"$scratch/yamllint" 2>&1
findings yamllint <"$scratch/yamllint"
check "the playbook is one" ansible-playbook -i appliance, --syntax-check examples/ansible/site.yml

awk '
	/^#/ { reason = NR > 1 && !/SPDX/; next }
	/^$/ { reason = 0; next }
	!reason { print }
' "$exceptions" >"$scratch/bare"
is "every exception has a reason" "$(cat "$scratch/bare")" ''
plan
