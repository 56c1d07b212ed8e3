package wxpay

import "github.com/doudi-aid/doudi/shared/fault"

// Faults of a callback. WeChat Pay sends again whatever we answer with other than
// 2xx, so a refused callback is never lost, only late.
var (
	ErrCallbackUnverified = fault.New(fault.Unauthenticated, "wxpay-callback-unverified",
		"这条微信支付通知没有通过签名核验。", "The WeChat Pay notification failed signature verification.")
	ErrCallbackMalformed = fault.New(fault.Invalid, "wxpay-callback-malformed",
		"这条微信支付通知的内容不符合约定。", "The WeChat Pay notification is not what the protocol says.")
	ErrCallbackForeign = fault.New(fault.Invalid, "wxpay-callback-foreign",
		"这条微信支付通知不属于本商户。", "The WeChat Pay notification is of another merchant.")
	ErrCallbackTooLarge = fault.New(fault.TooLarge, "wxpay-callback-too-large",
		"这条微信支付通知过大。", "The WeChat Pay notification is too large.")
)
