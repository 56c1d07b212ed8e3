package tabletest

import (
	"context"
	"sync/atomic"

	"github.com/doudi-aid/doudi/shared/table"
)

// Gate is a store as the API sees it: something can be done before a transaction,
// and answers can be lost.
type Gate struct {
	table.Store
	Before atomic.Pointer[func()] // done once, before the next transaction
	Lose   atomic.Bool            // the next transaction that happens is not heard of
}

// Transact is the store's, after Before and unless Lose.
func (g *Gate) Transact(ctx context.Context, writes ...table.Write) error {
	if f := g.Before.Swap(nil); f != nil {
		(*f)()
	}
	err := g.Store.Transact(ctx, writes...)
	if err == nil && g.Lose.Swap(false) {
		return table.ErrUnknown
	}
	return err
}
