package signin

import (
	"context"
	"errors"
	"testing"

	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/table"
)

// deaf is a table that does not answer.
type deaf struct{ table.Store }

func (deaf) Get(context.Context, table.Key) (table.Item, bool, error) {
	return table.Item{}, false, table.ErrBusy
}

// empty is a table with nothing in it.
type empty struct{ table.Store }

func (empty) Get(ctx context.Context, _ table.Key) (table.Item, bool, error) {
	if _, bounded := ctx.Deadline(); !bounded {
		return table.Item{}, false, errors.New("health waits for ever")
	}
	return table.Item{}, false, nil
}

func TestHealthIsThatOfTheTable(t *testing.T) {
	ctx, none := context.Background(), httpapi.Call[httpapi.None]{}
	if h, err := (Deps{Table: empty{}}).health(ctx, none); err != nil || h.Status != "ok" {
		t.Errorf("a table that answers: %v %v", h, err)
	}
	if _, err := (Deps{Table: deaf{}}).health(ctx, none); !errors.Is(err, ErrUnwell) {
		t.Errorf("a table that does not answer: %v", err)
	}
}
