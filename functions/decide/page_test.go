package decide

import (
	"encoding/base64"
	"testing"
)

// FuzzMark: a mark that is taken is the same when it is given out again.
func FuzzMark(f *testing.F) {
	f.Add(mark{"a", "b", "c"}.encode())
	f.Add(base64.RawURLEncoding.EncodeToString([]byte("a\nb\nc\nd")))
	f.Add("%")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := decodeMark(text)
		if err != nil || text == "" {
			return
		}
		if again, err := decodeMark(m.encode()); err != nil || again != m || m.compare(again) != 0 {
			t.Errorf("%+v became %+v: %v", m, again, err)
		}
	})
}
