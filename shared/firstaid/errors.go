package firstaid

import "github.com/doudi-aid/doudi/shared/fault"

// ErrPayee: the account is no longer the one that the proposal was made for, so
// that what one officer saw is not what another would pay (X026).
var ErrPayee = fault.New(fault.Conflict, "payee-moved", "收款账户已有变动，请重新提出意见。", "The payee account changed; the proposal must be made anew.")

// ErrNoAccount: there is no account to pay to.
var ErrNoAccount = fault.New(fault.Conflict, "no-account", "这份申请没有收款账户，请改用备用金发放，或者请申请人补充账户。", "There is no account to pay to; use the reserve, or ask for an account.")

// ErrNoWallet: the township does not pay into wallets, or somebody else applied for
// the person, so that there is no wallet of theirs.
var ErrNoWallet = fault.New(fault.Conflict, "no-wallet", "这份申请不能发放到微信，请改由银行或备用金发放。", "This application cannot be paid into a WeChat wallet; use the bank or the reserve.")

// ErrNoFiles: the township does not pay in files.
var ErrNoFiles = fault.New(fault.Conflict, "no-payment-files", "本地没有启用代发文件，请改由银行单笔转账或备用金发放。", "Payment files are not in use here; use a single transfer or the reserve.")
