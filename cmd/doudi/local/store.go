package local

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/doudi-aid/doudi/shared/table/embedded"
)

// openStore opens the store that o asks for, and its change feed.
func (s *System) openStore(ctx context.Context, o Options) error {
	switch {
	case o.Store == Embedded && o.Data == "":
		store := embedded.Memory(embedded.Clock(s.now))
		s.Table, s.feed = store, store
		return nil
	case o.Store == Embedded:
		store, err := embedded.Open(filepath.Join(o.Data, "store"), embedded.Clock(s.now))
		if err != nil {
			return err
		}
		s.closers = append(s.closers, store.Close)
		s.Table, s.feed = store, store
		return nil
	case o.Store == DynamoDB:
		return s.openDynamo(ctx, o)
	}
	return fmt.Errorf("no store %q: %s or %s", o.Store, Embedded, DynamoDB)
}
