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
	// ErrPosting, ErrDisputed and ErrOverturned stand between a proposal that is posted
	// and its approval; aid within the small amount needs no posting.
	ErrPosting    = fault.New(fault.Conflict, "posting-not-over", "这份意见须先公示，期满后才能批准。急需用钱的，可以先提出小额先行救助的意见，不用公示。", "The proposal is to be posted first and can be approved when that is over. If money is needed now, propose a small amount of first-step aid: it needs no posting.")
	ErrDisputed   = fault.New(fault.Conflict, "posting-disputed", "公示期间有人提出异议，须先由没有参与的人答复。急需用钱的，可以先提出小额先行救助的意见，不用公示。", "Somebody objected to what is posted, and it must be answered first. If money is needed now, propose a small amount of first-step aid: it needs no posting.")
	ErrOverturned = fault.New(fault.Conflict, "posting-overturned", "公示异议成立，不能按这份意见批准。请重新提出意见，或者说明理由不予救助。", "An objection was upheld; the proposal cannot be approved as it is. Propose anew, or refuse with reasons.")
)
