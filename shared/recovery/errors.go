package recovery

import "github.com/doudi-aid/doudi/shared/fault"

// What can be wrong with a recovery.
var (
	ErrNotFound = fault.New(fault.NotFound, "recovery-not-found", "没有这个追回事项。", "No such recovery.")
	ErrState    = fault.New(fault.Conflict, "recovery-state", "追回事项现在的阶段不能这样办理。", "The recovery is not at a stage that allows this.")
	ErrOpen     = fault.New(fault.Conflict, "recovery-open", "这笔发放已经有一个追回事项。", "There is a recovery about this payment already.")
	ErrPaid     = fault.New(fault.Conflict, "recovery-not-paid", "只有已经发放、没有退回的款项才谈得上追回。", "Only money that was paid and did not come back can be recovered.")
	ErrMachine  = fault.New(fault.Forbidden, "recovery-by-a-person", "追回只能由人提出和决定。", "Only a person opens or decides a recovery.")
	ErrPerson   = fault.New(fault.Forbidden, "recovery-same-person", "提出、听取陈述和决定不能是同一个人；豁免须由两人办理。", "Who opens or hears does not decide, and waiving takes two people.")
	ErrUnheard  = fault.New(fault.Conflict, "recovery-unheard", "作出决定之前，应当听取本人的陈述。", "The person must be heard before a decision.")
	ErrEarly    = fault.New(fault.Conflict, "recovery-hearing-term", "陈述期限还没有到，不能以没有陈述为由往下办。", "The term for being heard has not passed.")
	ErrAmount   = fault.New(fault.Invalid, "recovery-amount", "金额超过可以追回的数额。", "The amount is more than can be recovered.")
	ErrPenalty  = fault.New(fault.Invalid, "recovery-penalty", "罚款只适用于骗取救助，并且不得超出行为发生时法律规定的倍数。", "A penalty is for fraud only, within what the law of that day allows.")
	ErrPlan     = fault.New(fault.Invalid, "recovery-plan", "分期的金额合计应等于尚未归还的数额，日期应依次在后。", "Instalments must add up to what is left, on days that follow each other.")
	ErrBooked   = fault.New(fault.Conflict, "repayment-booked", "这笔入账已经登记过。", "This credit has been booked already.")
	ErrStale    = fault.New(fault.Conflict, "recovery-stale", "追回事项刚刚有变动，请刷新后再办理。", "The recovery changed meanwhile; reload it.")
)
