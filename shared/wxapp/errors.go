package wxapp

import "github.com/doudi-aid/doudi/shared/fault"

// Faults of signing in.
var (
	ErrCodeRefused = fault.New(fault.Unauthenticated, "wechat-code-refused",
		"登录凭证已失效，请重新打开小程序再试。", "The sign-in code is wrong, expired or used. Please sign in again.")
	// ErrCodeOfOtherApp is a fault of its own so that it can be counted: WeChat
	// gives it for a code of another mini-program and for a wrong app id of ours.
	ErrCodeOfOtherApp = fault.New(fault.Unauthenticated, "wechat-code-of-other-app",
		"登录凭证不属于本小程序，请从本小程序登录。", "The sign-in code is not of this mini-program.")
	ErrUserBlocked = fault.New(fault.Forbidden, "wechat-user-blocked",
		"微信暂时限制了这个账号登录，您可以到乡镇（街道）窗口或请村（社区）代办。", "WeChat blocks this account; the office counter or the village can help.")
	ErrBusy = fault.New(fault.Unavailable, "wechat-busy",
		"微信登录繁忙，请稍等片刻再试。", "WeChat sign-in is busy. Please try again shortly.").After(5)
	// ErrNoAnswer: the code may be used up, so the client must fetch a new one.
	ErrNoAnswer = fault.New(fault.Unavailable, "wechat-no-answer",
		"暂时连不上微信登录，请重新登录再试。", "WeChat did not answer. Please sign in again with a new code.").After(2)
	ErrConfig = fault.New(fault.Internal, "wechat-config",
		"登录暂不可用，我们已记录。请稍后再试。", "Sign-in is not available; it was recorded.")
)
