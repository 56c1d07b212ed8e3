package shipped

import (
	"bytes"
	"io"
	"sync"
)

// output passes on what the functions print: every line, or only what is no
// measurement and no note of something that went well.
type output struct {
	to  io.Writer
	all bool

	mu   sync.Mutex
	part []byte // of a line whose end is still to come
}

// longest is more than a function prints in one line.
const longest = 256 << 10

// Write takes what one or several processes print.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.part = append(o.part, p...)
	for {
		end := bytes.IndexByte(o.part, '\n')
		if end < 0 && len(o.part) < longest {
			return len(p), nil
		}
		if end < 0 {
			end = len(o.part) - 1
		}
		line := o.part[:end+1]
		if o.all || !bytes.Contains(line, []byte(`"level":"INFO"`)) && !bytes.HasPrefix(line, []byte(`{"_aws"`)) {
			if _, err := o.to.Write(line); err != nil {
				return 0, err
			}
		}
		o.part = append(o.part[:0], o.part[end+1:]...)
	}
}
