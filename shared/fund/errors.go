package fund

import "github.com/doudi-aid/doudi/shared/fault"

// What can be wrong with money of a fund or with a wish to move it.
var (
	ErrShort     = fault.New(fault.Conflict, "fund-short", "这笔资金的可用余额不足，请先补充资金。", "The fund has not enough available.")
	ErrMissing   = fault.New(fault.NotFound, "fund-not-found", "没有找到这笔资金。", "No such fund.")
	ErrAmount    = fault.New(fault.Invalid, "fund-amount", "金额不正确。", "The amount is out of range.")
	ErrExceeds   = fault.New(fault.Conflict, "fund-exceeds-reserved", "支付金额不能超过预留金额。", "More would be posted than was reserved.")
	ErrTwo       = fault.New(fault.Forbidden, "fund-two-people", "资金安排必须由两个人共同办理。", "Two different people must act.")
	ErrDay       = fault.New(fault.Conflict, "fund-day-limit", "今天的备用金支付已达到限额。", "The day's limit for cash is reached.")
	ErrReference = fault.New(fault.Mismatch, "fund-reference-used", "这个文号已用于另一笔资金安排。", "This reference was used for another appropriation.")
	// ErrIncoherent: balances are not the fold of their entries. Money of this
	// slice must not move until a person has found out why.
	ErrIncoherent = fault.New(fault.Internal, "fund-incoherent", "资金账目核对不一致，已交由人工处理。", "The ledger does not add up; a person will look.")
)
