package dynamo

import "github.com/doudi-aid/doudi/shared/table"

// Change is the change that a stream record tells of: seq is its sequence
// number, image the item as it stood after the write.
func Change(seq string, image map[string]Value) (table.Change, error) {
	it, err := decode(image)
	return table.Change{Seq: seq, Item: it}, err
}
