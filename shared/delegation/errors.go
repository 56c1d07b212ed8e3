package delegation

import "github.com/doudi-aid/doudi/shared/fault"

// What can be wrong with a delegation.
var (
	ErrNotFound = fault.New(fault.NotFound, "delegation-not-found", "没有找到这项委派。", "There is no such delegation.")
	ErrMovedOn  = fault.New(fault.Conflict, "delegation-moved", "这项委派或者它所依据的上级授权刚刚有变化，请刷新后再办。", "It, or what it rests on, has just changed; look again.")
	ErrState    = fault.New(fault.Conflict, "delegation-state", "这项委派现在不能这样办理：可能已经同意、收回或者过期。", "It cannot be done to it now: it was agreed to, revoked, or is over.")
	// ErrPerson: two people delegate, and neither is among those who are given it.
	ErrPerson = fault.New(fault.Forbidden, "delegation-person", "提出、同意必须是两个人，而且都不能是得到委派的人。", "Two people delegate, and neither is among those who are given it.")
	// ErrAbove: what it would rest on does not stand, or must not be delegated from.
	ErrAbove = fault.New(fault.Conflict, "delegation-above", "所依据的上级授权已经终止，或者不能再委派。", "What it rests on is over, or may not be delegated further.")
	// ErrExceeds: narrower, no more, not longer; every field that is not is named.
	ErrExceeds = fault.New(fault.Invalid, "delegation-exceeds", "委派不能超出所依据的上级授权，也不能给已在该辖区办理业务的人。", "A delegation is no wider, no more and no longer than what it rests on, and is not for whoever works there.")
	// ErrMany bounds what one member of staff holds at once.
	ErrMany = fault.New(fault.Conflict, "delegation-many", "有人同时得到的委派已达上限，请先收回不用的。", "Somebody holds as many delegations as one may at once; revoke what is not used.")
)
