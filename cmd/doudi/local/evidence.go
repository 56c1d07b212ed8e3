package local

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"slices"

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
	keys, err := evidence.OpenKeys(filepath.Join(dir, "log-keys.json"), LogOrigin, rand.Reader)
	if err != nil {
		return err
	}
	keys.Witnesses = slices.Concat(keys.Witnesses, o.Witnesses)
	blobs, err := evidence.OpenDirectory(filepath.Join(dir, "log"))
	if err != nil {
		return err
	}
	s.closers = append(s.closers, blobs.Close)
	if s.Evidence, err = keys.Publisher(evidence.New(s.Table, s.Box, rand.Reader, s.now), blobs); err != nil {
		return err
	}
	s.logDeps = log.Deps{Publisher: s.Evidence, Key: keys.Public, Pinned: keys.Witnesses, Now: s.now, Metrics: s.metrics, Log: s.log}
	return nil
}
