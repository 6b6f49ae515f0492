"""A folder of recordings: what the command says and what stands in its summary."""

from copilot.i18n import english

WORDS = {
    english.BATCH_LOOKING: "正在查找已完成的部分",
    english.BATCH_READING: "记录",
    english.BATCH_DONE: "{total} 份记录中有 {done} 份已生成病历草稿；其余见 {folder}/summary.md。",
    english.BATCH_STOPPED_LOOKING: "在开始读取之前已停止；此前完成的结果保持不变。",
    english.BATCH_STOPPED: "已停止：{total} 份记录中有 {done} 份已完成并保留；再次运行同一命令会从此处继续。",
    english.BATCH_NOT_A_FOLDER: "{folder} 不是文件夹；请指定存放记录的文件夹。",
    english.BATCH_NO_RECORDINGS: "{folder} 中没有脑电记录；请指定存放记录的文件夹。",
    english.BATCH_OTHER_THINGS: "{folder} 中已有其他内容；请指定一个新文件夹，或此前批处理的文件夹。",
    english.BATCH_LOCKED: "另一个批处理正在写入 {folder}；请等它结束，或指定另一个文件夹。",
    english.BATCH_NO_FOLDER: "无法创建或写入 {folder}：{why}。",
    english.BATCH_NOT_WRITTEN: "无法写入 {file}：{why}。已完成的部分会保留；再次运行同一命令即可继续。",
    english.BATCH_BAD_SOURCES: (
        "sources.csv 已不是写出时的样子，而编号与文件的对应关系记在其中：请将其还原，或指定一个新文件夹。"
    ),
    english.BATCH_NO_KEY: "人员表中既没有 file 列，也没有 participant_id 列；须有其一说明每行属于谁。",
    english.BATCH_NOT_OPENED: "一个进程在打开模型时结束（{how}）；如内存不足，请将 --workers 设小一些。",
    english.BATCH_NO_RAY: ("缺少软件包 ray；请安装：python -m pip install ray（使用 ray:// 地址时：ray[client]）。"),
    english.BATCH_NO_CLUSTER: "无法使用 {address} 处的 Ray 集群：{why}。请检查地址，或用 `ray start --head` 启动一个。",
    english.BATCH_NO_NODE: ("Ray 集群中没有机器能在 {seconds} 秒内启动读取进程；每个需要 {gigabytes:.1f} GB。"),
    english.BATCH_OTHER_MODEL: "读取它的机器上是另一个模型文件；请将同一文件复制到所有机器。",
    english.BATCH_NOT_READ: "无法读取该文件：{why}。",
    english.BATCH_DIED: "读取它的进程结束了（{how}），内存耗尽时会这样；请减少 --workers 后重新运行。",
    english.BATCH_FAULT: "程序处理它时失败，请报告：{kind}，位于 {place}。",
    english.BATCH_NO_ROW: "人员表中没有它的行。",
    english.BATCH_BAD_PERSON: (
        "人员表第 {row} 行未用于受试者：年龄须为 0 到 120 的整数，性别须为 F、M 或 O，文字最多 600 个字符。"
    ),
    english.BATCH_BAD_PARTICULARS: "人员表第 {row} 行的姓名或编号过长，已略去。",
    english.BATCH_NO_BASELINE: "人员表第 {row} 行的一份基线不是此文件夹中的记录，已略去。",
    english.BATCH_DANGER: "本人自己的话提到危险：请现在就阅读。",
    english.BATCH_IDLE_ROW: "第 {row} 行没有指向此文件夹中的任何记录。",
    english.BATCH_ROW_OF_NOBODY: "第 {row} 行既没有 file，也没有 participant_id。",
    english.BATCH_ROW_TWICE: "第 {row} 行与前面某行所指相同，以前面的为准。",
    english.BATCH_TITLE: "脑电判读批处理汇总",
    english.BATCH_COUNTS: "共 {total} 份记录：已判读 {done} 份，失败 {failed} 份，尚未读取 {waiting} 份。",
    english.BATCH_DRAFTS: "这些病历是草稿：每份都须由临床医生审阅，目前均未审阅。",
    english.BATCH_SOURCES: (
        "此处和病历中的记录均以编号表示。编号与文件的对应关系只记在 sources.csv 中，而文件名可能透露姓名："
        "转交其他内容时请不要附上它。"
    ),
    english.BATCH_CARE: ("这里逐份说明模型的判读结果。它不能衡量一群人的感受，也不是为人与人之间的比较而做的。"),
    english.BATCH_EMOTIONS: "情绪分布",
    english.BATCH_EMOTIONS_OVER: "基于质量良好或一般的 {count} 份记录。",
    english.BATCH_EMOTION: "最可能的情绪",
    english.BATCH_MEAN: "平均概率",
    english.BATCH_CONFIDENCE["clear"]: "突出",
    english.BATCH_CONFIDENCE["unclear"]: "不确定",
    english.BATCH_CHART: "每种情绪成为最可能情绪的次数，以及记录质量的分布。",
    english.BATCH_CLEAN: "可用秒数比例的中位数",
    english.BATCH_FAILED: "失败",
    english.BATCH_REMARKS: "关于人员",
    english.BATCH_TABLE: "人员表",
    english.BATCH_REASON: "原因",
    english.BATCH_REMARK: "备注",
    english.BATCH_MADE: "生成方式",
    english.BATCH_TOOK: "每份记录用时的中位数",
}
