package dynamo

import (
	"fmt"

	"github.com/doudi-aid/doudi/shared/table"
)

// Change is the change that a stream record tells of: seq is its sequence
// number, image the item as it stood after the write.
func Change(seq string, image map[string]Value) (table.Change, error) {
	it, err := decode(image)
	if err == nil && (it.Key.PK == "" || it.Key.SK == "" || it.Version < 1) {
		err = fmt.Errorf("dynamo: a change of no item that the store writes, version %d", it.Version)
	}
	return table.Change{Seq: seq, Item: it}, err
}
