package world

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// journal is what the world must remember: one JSON record a line, appended and
// on disk before anybody gets an answer that depends on it. Without a directory
// it remembers nothing past the process.
type journal struct {
	mu     sync.Mutex
	file   *os.File
	broken error // of a failed append; a later one would be glued to its half line
}

// record is one line; exactly one field is set.
type record struct {
	Person   *Person   `json:"person,omitempty"`
	Login    *login    `json:"login,omitempty"`
	Transfer *transfer `json:"transfer,omitempty"`
	Told     *told     `json:"told,omitempty"`
	Bill     *bill     `json:"bill,omitempty"`
	Message  *Message  `json:"message,omitempty"`
	Filing   *filing   `json:"filing,omitempty"`
}

// openJournal opens dir's journal and gives every record in it to apply.
func openJournal(dir string, apply func(record)) (*journal, error) {
	if dir == "" {
		return &journal{}, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("world: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "world.jsonl"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("world: %w", err)
	}
	end, err := replay(f, apply)
	if err == nil {
		// A process killed in the middle of an append leaves half a line. Nobody was
		// told of it, so it goes; the next record must not be glued to it.
		err = f.Truncate(end)
	}
	if err == nil {
		_, err = f.Seek(end, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &journal{file: f}, nil
}

// replay applies every whole line and returns where the last of them ends.
func replay(r io.Reader, apply func(record)) (int64, error) {
	in := bufio.NewReader(r)
	var end int64
	for n := 1; ; n++ {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return end, nil
		}
		if err != nil {
			return 0, fmt.Errorf("world: journal: %w", err)
		}
		var rec record
		if err := json.Unmarshal(bytes.TrimSpace(line), &rec); err != nil {
			return 0, fmt.Errorf("world: journal: line %d is damaged", n)
		}
		apply(rec)
		end += int64(len(line))
	}
}

// append writes one record and waits until the disk has it.
func (j *journal) append(rec record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil || j.broken != nil {
		return j.broken
	}
	line, err := json.Marshal(rec)
	if err != nil {
		return fmt.Errorf("world: journal: %w", err)
	}
	if _, err = j.file.Write(append(line, '\n')); err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		j.broken = fmt.Errorf("world: journal: %w", err)
	}
	return j.broken
}

func (j *journal) close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return nil
	}
	err := j.file.Close()
	j.file = nil
	return err
}
