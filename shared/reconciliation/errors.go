package reconciliation

import "github.com/doudi-aid/doudi/shared/fault"

// What can be wrong with a statement or a break.
var (
	ErrUnreadable = fault.New(fault.Invalid, "statement-unreadable", "账单不符合约定的格式，没有采信，请看下面逐项说明。", "The statement is not as agreed and is not believed; each fault is listed.")
	ErrTooLarge   = fault.New(fault.TooLarge, "statement-too-large", "账单文件过大。", "The statement is too large.")
	ErrDigest     = fault.New(fault.Invalid, "statement-digest", "账单内容与校验值不符，没有采信。", "The statement does not have the digest it should; it is not believed.")
	ErrSource     = fault.New(fault.NotFound, "statement-source-not-found", "没有这个对账账户。", "No such account is reconciled here.")
	ErrSigned     = fault.New(fault.Conflict, "statement-signed", "这一天的账单已由对方签名提供，人工导入的文件不能取代它。", "Whoever keeps the account has signed this day's statement; a file that somebody brings does not replace it.")
	ErrDay        = fault.New(fault.Invalid, "statement-day", "账单日期不正确：只收已经结束的、一年以内的日期。", "A statement is of a day that is over, within a year.")
	ErrMovedOn    = fault.New(fault.Conflict, "break-moved", "这笔差异刚刚有变动，请刷新后重试。", "The break changed meanwhile; reload and try again.")
	ErrNotFound   = fault.New(fault.NotFound, "break-not-found", "没有这笔差异。", "No such break.")
	ErrState      = fault.New(fault.Conflict, "break-state", "这笔差异已经有人办理过这一步，或者已经了结。", "Somebody took this step already, or the break is closed.")
	ErrPerson     = fault.New(fault.Forbidden, "break-same-person", "了结一笔差异须由两人：提出的人和确认的人，都不能是作出或批准这笔发放的人。", "Two people close a break, and neither proposed nor approved the payment.")
	ErrEvidence   = fault.New(fault.Invalid, "break-evidence", "请提供证据材料的SHA-256校验值（64位十六进制）。", "Name the evidence by its SHA-256, 64 hex digits.")
)
