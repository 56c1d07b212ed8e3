package account

import "github.com/doudi-aid/doudi/shared/fault"

// What can be wrong with an account.
var (
	ErrNotFound = fault.New(fault.NotFound, "account-not-found", "没有找到这个账号。", "No such account.")
	ErrQuota    = fault.New(fault.TooMany, "filing-quota", "今天提交的申请已达上限，请明天再试；情况紧急请拨打12345或到乡镇（街道）办理。", "The number of applications for one day is used up.")
	ErrBusy     = fault.New(fault.Unavailable, "account-busy", "现在办理的人多，请稍后再试。", "The service is busy; please try again.").After(1)
)
