package notice

import "github.com/doudi-aid/doudi/shared/fault"

// What can be wrong with a call about a notice.
var (
	ErrNotFound = fault.New(fault.NotFound, "notice-not-found", "没有找到这条通知。", "No such notice.")
	ErrState    = fault.New(fault.Conflict, "notice-state", "这条通知不需要打电话，或者已经有人告知。", "Nobody needs to call about this notice, or somebody has.")
)
