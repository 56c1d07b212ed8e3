package local

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/doudi-aid/doudi/functions/log"
	"github.com/doudi-aid/doudi/shared/evidence"
)

// LogOrigin names the evidence log of a local system: all its regions are in one.
const LogOrigin = "doudi/local"

// openLog opens the evidence log: its keys beside the other keys, and what it
// publishes in a folder.
func (s *System) openLog(o Options) error {
	dir := o.Data
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "doudi-log-"); err != nil {
			return err
		}
		s.closers = append(s.closers, func() error { return os.RemoveAll(dir) })
	}
	keys, blobs, err := LogFiles(dir)
	if err != nil {
		return err
	}
	keys.Witnesses = slices.Concat(keys.Witnesses, o.Witnesses)
	s.closers = append(s.closers, blobs.Close)
	if s.Evidence, err = keys.Publisher(evidence.New(s.Table, s.Box, rand.Reader, s.now), under[evidence.Blobs](o.Under.Published, blobs)); err != nil {
		return err
	}
	s.logDeps = log.Deps{Publisher: s.Evidence, Key: keys.Public, Pinned: keys.Witnesses, Pace: 200 * time.Millisecond, Now: s.now, Metrics: s.metrics, Log: s.log}
	return nil
}

// LogFiles are the log's keys and what it has published, in a data directory.
func LogFiles(data string) (evidence.Keys, *evidence.Directory, error) {
	keys, err := evidence.OpenKeys(filepath.Join(data, "log-keys.json"), LogOrigin, rand.Reader)
	if err != nil {
		return keys, nil, err
	}
	blobs, err := evidence.OpenDirectory(filepath.Join(data, "log"))
	return keys, blobs, err
}
