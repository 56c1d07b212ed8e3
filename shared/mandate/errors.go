package mandate

import "github.com/doudi-aid/doudi/shared/fault"

// What can go wrong with mandates.
var (
	ErrNotFound  = fault.New(fault.NotFound, "mandate-not-found", "没有找到这个督办事项。", "There is no such mandate.")
	ErrState     = fault.New(fault.Conflict, "mandate-state", "这个事项现在不能这样办理。", "It cannot be done to it now.")
	ErrProof     = fault.New(fault.Invalid, "mandate-proof", "请附上办理依据（至少一份材料的摘要）。", "The answer must name what proves it.")
	ErrPerson    = fault.New(fault.Forbidden, "mandate-person", "答复、核查、回头看必须由不同的人办理。", "Answering, closing and looking again are for different people.")
	ErrConcerned = fault.New(fault.Forbidden, "mandate-concerned", "涉及本人的事项不能由本人答复。", "Nobody answers what is about themselves.")
	ErrOutcome   = fault.New(fault.Invalid, "mandate-outcome", "没有这种办理结果。", "There is no such outcome for it.")
	ErrMovedOn   = fault.New(fault.Conflict, "mandate-moved", "事项刚刚有变化，请刷新后再办。", "It has just changed; look again.")
)
