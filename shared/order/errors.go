package order

import "github.com/doudi-aid/doudi/shared/fault"

// What can be wrong with an order.
var (
	ErrNotFound = fault.New(fault.NotFound, "order-not-found", "没有找到这项待确认的办理。", "No such order.")
	ErrDone     = fault.New(fault.Conflict, "order-done", "这项办理已经确认过了。", "This order was completed before.")
)
