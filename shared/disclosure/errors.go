package disclosure

import "github.com/doudi-aid/doudi/shared/fault"

// What can be wrong with what is told.
var (
	// ErrNotFound is also for what has expired or was taken down: the two look alike.
	ErrNotFound = fault.New(fault.NotFound, "disclosure-not-found", "没有这份公布，或者公布期已满、已经撤下。", "No such notice, or it has expired or was taken down.")
	ErrMovedOn  = fault.New(fault.Conflict, "disclosure-moved", "这份公布刚刚有变动，请刷新后重试。", "The notice changed meanwhile; reload and try again.")
	ErrDown     = fault.New(fault.Conflict, "disclosure-down", "这一行已经撤下。", "This line was taken down before.")
	ErrAnswered = fault.New(fault.Conflict, "objection-answered", "这条异议已经答复过了。", "This objection was answered before.")
	ErrPerson   = fault.New(fault.Forbidden, "objection-same-person", "对自己参与的决定提出的异议，须由没有参与的人答复。", "Somebody who had no part in the decision answers an objection to it.")
)
