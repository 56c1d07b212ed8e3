package discovery

import "github.com/doudi-aid/doudi/shared/fault"

// What can go wrong with signals and visits.
var (
	ErrNotFound = fault.New(fault.NotFound, "signal-not-found", "没有找到这条线索。", "There is no such sign of hardship.")
	ErrTaken    = fault.New(fault.Conflict, "signal-taken", "这条线索已在别人的走访名单上。", "It is on somebody else's list.")
	ErrDone     = fault.New(fault.Conflict, "signal-done", "这条线索已经了结。", "It has ended.")
	ErrMovedOn  = fault.New(fault.Conflict, "signal-moved", "线索刚刚有变化，请刷新后再试。", "It has just changed; look again.")
	ErrDiffers  = fault.New(fault.Mismatch, "visit-differs", "同一编号的走访记录内容不同；请把更正作为新的一条。", "A record of this number is there with other content; a correction is a record of its own.")
)
