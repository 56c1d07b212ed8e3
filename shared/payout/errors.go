package payout

import "github.com/doudi-aid/doudi/shared/fault"

// What can be wrong with a payout or with a wish to move it.
var (
	ErrNotFound = fault.New(fault.NotFound, "payout-not-found", "没有找到这笔付款。", "No such payout.")
	ErrState    = fault.New(fault.Conflict, "payout-state", "这笔付款现在的状态不能这样办理，请刷新后再看。", "The payout is not in a state that allows this.")
	ErrMovedOn  = fault.New(fault.Conflict, "payout-moved", "这笔付款刚刚有变动，请刷新后再办理。", "The payout changed meanwhile; read it again.")
	// ErrIndeterminate: the store did not say whether the step was taken. Nothing is
	// lost: the payout still stands in the due index, or the step was taken.
	ErrIndeterminate = fault.New(fault.Indeterminate, "payout-step-unknown", "处理结果暂时无法确认，系统会自动核实。", "Whether the step was taken is not known yet and will be found out.")
	ErrTwo           = fault.New(fault.Forbidden, "payout-two-people", "此事必须由两个人共同办理。", "Two different people must act.")
	ErrConcerned     = fault.New(fault.Forbidden, "payout-self-dealing", "您与这份申请有关联，应当回避。", "You are concerned by this application and must stand back.")
	ErrReceipt       = fault.New(fault.Invalid, "cash-receipt", "缺少领取人签字的收据。", "A signed receipt is required.")
	ErrCase          = fault.New(fault.Conflict, "cash-case-limit", "金额超过备用金单笔限额。", "The amount passes the limit for one cash payment.")
)
