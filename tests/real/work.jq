# A deterministic workload: builds, groups, sorts, edits and prints some thousands of objects.
[range(0; 3000) | {id: ., kind: (. * 7919 % 37), name: "n\(. * 104729 % 5003)", tags: [range(0; . % 5) | tostring]}]
| (map(.id) | add),
  (group_by(.kind) | map({kind: .[0].kind, count: length, names: (map(.name) | unique | length)})),
  (sort_by(.name) | .[0:5]),
  (map(select(.tags | length > 2)) | map(.tags |= join("+")) | .[0:5]),
  (reduce .[] as $x ({}; .[$x.name] += $x.id) | to_entries | sort_by(.key) | .[0:10]),
  ([paths(type == "number")] | length),
  (tojson | length),
  (tojson | fromjson | map(.name | ascii_upcase | test("^N[0-9]+1$")) | map(select(.)) | length)
