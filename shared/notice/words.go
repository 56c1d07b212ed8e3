package notice

import "fmt"

// Words is what a notice says, in the parts that templates of the channels ask
// for. Nothing personal beyond what the person needs: no number, no illness,
// no account.
type Words struct {
	Title  string // what happened: at most 5 Chinese characters
	Item   string // what it is about
	Amount string // "¥3000.00", ungrouped as templates want it; empty when no money is concerned
	Hint   string // what the person can do: at most 20 characters
	Text   string // all of it in one sentence, for SMS and for reading aloud
}

// Words is what the notice says.
func (n Notice) Words() Words {
	w := Words{Item: "急难型临时救助"}
	switch n.Kind {
	case Accepted:
		w.Title, w.Hint = "已受理", "进度可在小程序查看"
		w.Text = "您的临时救助申请已经受理，我们会尽快决定。进度请在小程序查看，也可拨打12345。"
	case Paid:
		w.Title, w.Hint, w.Amount = "已发放", "没收到请点此告诉我们", "¥"+n.Facts.Fen("amount_fen").Yuan()
		w.Text = fmt.Sprintf("您的先行救助金%s已发放到您本人账户，请查收。没收到或金额不对，请在小程序告诉我们，或拨打12345。", w.Amount)
	case Returned:
		w.Title, w.Hint, w.Amount = "被退回", "请核对收款账户", "¥"+n.Facts.Fen("amount_fen").Yuan()
		w.Text = fmt.Sprintf("您的救助金%s被银行退回，钱已回到专户，没有丢失。乡镇（街道）会联系您核对账户，也可拨打12345。", w.Amount)
	case Refused:
		w.Title, w.Hint = "未获批准", "理由和救济途径见详情"
		w.Text = "您的临时救助申请未获批准。理由以及申请复议、提起诉讼的办法请在小程序查看，也可拨打12345。"
	case PaymentFailed:
		w.Title, w.Hint = "发放未成", "请核对收款账户"
		w.Text = "银行没能把救助金打到您的账户，钱没有丢失。乡镇（街道）会联系您核对账户，也可拨打12345。"
	case Confirm:
		w.Title, w.Hint, w.Amount = "确认收款", "24小时内点此确认收款", "¥"+n.Facts.Fen("amount_fen").Yuan()
		w.Text = fmt.Sprintf("您的先行救助金%s已备好，请24小时内在小程序点“确认收款”。不会操作的可改由银行发放，也可拨打12345。", w.Amount)
	case Upheld:
		w.Title, w.Hint = "异议答复", "理由和救济途径见详情"
		w.Text = "您的异议已经答复，维持原决定。理由以及申请复议、提起诉讼的办法请在小程序查看，也可拨打12345。"
	case Reopened:
		w.Title, w.Hint = "重新办理", "进度可在小程序查看"
		w.Text = "您的异议成立，原来不予救助的决定已撤销，我们会重新办理。进度请在小程序查看，也可拨打12345。"
	case Revealed:
		w.Title, w.Hint = "信息查看", "谁看、为什么可在此查看"
		w.Text = "因办理需要，经两名工作人员同意，将查看您申请中的完整个人信息。哪个单位、为什么看，请在小程序查看，也可拨打12345。"
	case RecoveryOpened:
		w.Title, w.Hint = "请您陈述", "您可以说明情况、提交材料"
		w.Text = "我们在核实一笔已经发放的救助金。作出任何决定之前，请您说明情况；原因和期限请在小程序查看，也可拨打12345。"
	case RecoveryDecided:
		w.Title, w.Hint, w.Amount = "追回决定", "理由和救济途径见详情", "¥"+n.Facts.Fen("amount_fen").Yuan()
		w.Text = fmt.Sprintf("已作出书面决定，请归还救助金%s，可以商量分期。理由以及申请复议、提起诉讼的办法请在小程序查看，也可拨打12345。", w.Amount)
	case RecoveryClosed:
		w.Title, w.Hint = "已经了结", "结果请在小程序查看"
		w.Text = "关于一笔已发放救助金的核实事项已经了结。结果请在小程序查看，也可拨打12345。"
	case Replied: // nothing of what it was about, nor of what was answered
		w.Item, w.Title, w.Hint = "您反映的事项", "已有答复", "请在小程序查看"
		w.Text = "您反映的事项已有答复，请在小程序查看，也可拨打12345。"
	case FiledForYou:
		w.Title, w.Hint = "代为申请", "如不知情请告诉我们"
		w.Text = "有人代您提出了临时救助申请。如果您不知情，请在小程序点“不是我”，或拨打12345。"
	}
	return w
}
