package award

import "github.com/doudi-aid/doudi/shared/fault"

// What can stand in the way of an award.
var (
	ErrIncomplete = fault.New(fault.Internal, "award-incomplete", "救助决定的内容不完整，已交由人工处理。", "The award lacks something; a person will look.")
	ErrAmount     = fault.New(fault.Invalid, "award-amount", "救助金额不在允许范围内。", "The amount is out of range.")
	// ErrOnce: the same person, cause and calendar year (R48, M22). A second award
	// needs a reasoned exception.
	ErrOnce = fault.New(fault.Conflict, "award-once-a-year", "同一人同一事由本年度已获得过救助；确需再次救助的，请写明例外理由。", "This person was already helped for this cause this year; a second award needs a reasoned exception.")
	// ErrPayeeTaken: one account receives for one person (M21).
	ErrPayeeTaken = fault.New(fault.Conflict, "payee-account-taken", "这个收款账户已登记在另一人名下，请核对账户。", "This account already receives for another person.")
)
