package decide

import "github.com/doudi-aid/doudi/shared/fault"

// What can stand in the way of an act of staff.
var (
	ErrStale      = fault.New(fault.Conflict, "proposal-moved", "您要批准的内容已有变动，请重新查看后再批准。", "What you are approving has changed; read it again first.")
	ErrReopen     = fault.New(fault.Conflict, "proposal-outdated", "情况已有变化，原来的意见不再适用，请退回重新提出。", "The facts changed and the proposal no longer stands; it must be made anew.")
	ErrException  = fault.New(fault.Conflict, "exception-required", "超出规定的次数或限额，须写明例外情形和理由。", "A limit is passed; name the exception and the reason.")
	ErrRules      = fault.New(fault.Conflict, "rules-hold", "按现行规则，这个金额或这些情况不能先行救助，请核实后再提出。", "The rules hold this amount or these facts; look into it first.")
	ErrOnce       = fault.New(fault.Conflict, "award-duplicate", "此人同一事由本年度已有一次救助。确有必要的，请以“例外”重新提出并写明理由，由县级批准。", "This person already has an award for this cause this year. If it is needed all the same, propose it anew as an exception with a reason; the county decides.")
	ErrFundEmpty  = fault.New(fault.Conflict, "fund-empty", "本乡镇（街道）的救助资金余额不足，请先补充资金。", "The township's fund has not enough left; it must be replenished first.")
	ErrHoldExists = fault.New(fault.Conflict, "hold-exists", "同样的暂缓已经存在，尚未解除。", "The same hold is already in place.")
	ErrEffect     = fault.New(fault.Invalid, "effect-unknown", "后果只有 hold、sample、inform 三种。", "An effect is hold, sample or inform.")
	ErrPage       = fault.New(fault.Invalid, "page-invalid", "翻页标记不正确，请从第一页重新查看。", "The page marker is not one of ours; start from the first page.")
)
