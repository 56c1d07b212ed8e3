package settle

import "github.com/doudi-aid/doudi/shared/fault"

// ErrMessage: the message does not name a payout. It will never be better.
var ErrMessage = fault.New(fault.Invalid, "not-a-payout-message", "无法识别的内部消息，已交由人工处理。", "The message names no payout; a person will look.")

// ErrBusy: the payout kept moving. The bank sends again.
var ErrBusy = fault.New(fault.Unavailable, "callback-again", "系统繁忙，请重新发送。", "Please send this callback again.").After(5)
