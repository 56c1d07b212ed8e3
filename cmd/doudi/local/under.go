package local

import (
	"github.com/doudi-aid/doudi/shared/document"
	"github.com/doudi-aid/doudi/shared/evidence"
	"github.com/doudi-aid/doudi/shared/queue"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
)

// Under puts something between a system and what it stands on, for whoever wants
// to see what it does when that fails. Each is called once, while the system
// starts; nil puts nothing there.
type Under struct {
	Table     func(table.Store) table.Store
	Keys      func(seal.Keys) seal.Keys
	Documents func(document.Store) document.Store
	Published func(evidence.Blobs) evidence.Blobs // what the evidence log publishes
	Queues    func(queue.Sender) queue.Sender
}

func under[T any](between func(T) T, it T) T {
	if between == nil {
		return it
	}
	return between(it)
}
