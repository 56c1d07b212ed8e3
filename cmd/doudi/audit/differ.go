package audit

import (
	"golang.org/x/mod/sumdb/tlog"
)

// window is how far differ looks for where two lists go on alike.
const window = 512

// differ says how the leaves that are there differ from the hashes that were
// published: one list against another, named to the place. name speaks of a leaf.
func differ(have, was []tlog.Hash, name func(index int) string) []Finding {
	var found []Finding
	i, j := 0, 0 // in have, in was
	moved := map[tlog.Hash]bool{}
	for i < len(have) && j < len(was) {
		if have[i] == was[j] {
			i, j = i+1, j+1
			continue
		}
		more, less := -1, -1 // how many of have come before was[j]; of was before have[i]
		for d := 1; d <= window && (more < 0 || less < 0); d++ {
			if more < 0 && i+d < len(have) && have[i+d] == was[j] {
				more = d
			}
			if less < 0 && j+d < len(was) && was[j+d] == have[i] {
				less = d
			}
		}
		switch {
		case moved[have[i]]:
			found = append(found, Finding{Reordered, int64(i), name(i), "it stands elsewhere in what was published"})
			i, j = i+1, j+1
		case more > 0 && less > 0:
			found = append(found, Finding{Reordered, int64(i), name(i), "it stands elsewhere in what was published"})
			moved[was[j]] = true // its counterpart, which comes later
			i, j = i+1, j+1
		case more > 0:
			for d := range more {
				found = append(found, Finding{Inserted, int64(i + d), name(i + d), "it is not in what was published"})
			}
			i += more
		case less > 0:
			for d := range less {
				found = append(found, Finding{Deleted, int64(j + d), "", "what was published here is gone"})
			}
			j += less
		default:
			found = append(found, Finding{Edited, int64(i), name(i), "it is not what was published at its place"})
			i, j = i+1, j+1
		}
	}
	if j < len(was) {
		found = append(found, Finding{Truncated, int64(len(have)), "", "leaves from here on were published and are gone"})
	}
	for ; i < len(have); i++ {
		found = append(found, Finding{Extra, int64(i), name(i), "it was never published"})
		if len(found) > 2*window {
			break
		}
	}
	return found
}
