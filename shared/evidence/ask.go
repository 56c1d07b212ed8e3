package evidence

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// Leaves are read by witnesses alone: though they name no citizen, they tell what
// happened in which street. A witness asks for them with a note of its own.

// asking begins the text of such a note; no checkpoint begins so.
const asking = "doudi-log-leaves/v1"

// lateAtMost is how old a request may be, or how far ahead.
const lateAtMost = 5 * time.Minute

// Ask is a witness's request for one bundle of leaves of the log called origin.
func (w *WitnessKey) Ask(origin string, bundle uint64, width int) ([]byte, error) {
	return note.Sign(&note.Note{Text: fmt.Sprintf("%s\n%s\n%d\n%d\n", asking, origin, bundle, width)}, w)
}

// OpenAsk reads a request; ErrAsked unless a pinned witness signed it, for this
// log, a moment ago.
func OpenAsk(raw []byte, origin string, now time.Time, witnesses ...note.Verifier) (bundle uint64, width int, err error) {
	n, err := note.Open(raw, note.VerifierList(witnesses...))
	if err != nil {
		return 0, 0, ErrAsked.Because(err)
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 5 || lines[0] != asking || lines[1] != origin {
		return 0, 0, ErrAsked
	}
	at, err := cosignedAt(n.Sigs[0].Base64)
	if err != nil || now.Sub(at).Abs() > lateAtMost {
		return 0, 0, ErrAsked
	}
	bundle, err = strconv.ParseUint(lines[2], 10, 63)
	width, err2 := strconv.Atoi(lines[3])
	if err != nil || err2 != nil || width < 1 || width > Block {
		return 0, 0, ErrAsked
	}
	return bundle, width, nil
}
