package embedded_test

import (
	"testing"

	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
	"github.com/doudi-aid/doudi/shared/table/tabletest"
)

func open(t *testing.T, dir string, opts ...embedded.Option) *embedded.Store {
	t.Helper()
	s, err := embedded.Open(dir, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestContract(t *testing.T) {
	t.Run("memory", func(t *testing.T) {
		tabletest.Run(t, func(*testing.T) table.Store { return embedded.Memory() }, tabletest.Options{})
	})
	t.Run("disk", func(t *testing.T) {
		tabletest.Run(t, func(t *testing.T) table.Store { return open(t, t.TempDir()) }, tabletest.Options{})
	})
}

func TestFeed(t *testing.T) {
	t.Run("memory", func(t *testing.T) {
		tabletest.RunFeed(t, func(*testing.T) (table.Store, table.Feed) {
			s := embedded.Memory()
			return s, s
		})
	})
	t.Run("disk", func(t *testing.T) {
		tabletest.RunFeed(t, func(t *testing.T) (table.Store, table.Feed) {
			s := open(t, t.TempDir())
			return s, s
		})
	})
}

func TestMemoryAnswersAsTheDisk(t *testing.T) {
	tabletest.Differ(t, tabletest.Subject{Name: "memory", Store: embedded.Memory()}, tabletest.Subject{Name: "disk", Store: open(t, t.TempDir())})
}
