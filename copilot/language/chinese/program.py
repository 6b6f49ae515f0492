"""The person, the settings, the walk through the house, the language model, the chat and the command line."""

from copilot.language import english

WORDS = {
    english.COMMA: "、",
    english.AND: "{some}和{more}",
    english.COUNTED: "{kind} {count} 个",
    # The person
    english.NOT_A_GENDER: "性别为 {gender!r}；请选择其一：{choices}。",
    english.TEXT_TOO_LONG: "{label}有 {length} 个字符；最多读取 {most} 个。",
    # Settings
    english.SETTING_CHOICES: "{variable} 为 {value!r}；可以是 {choices}。",
    english.SETTING_NUMBER: "{variable} 为 {value!r}；必须是大于 0 的整数。",
    english.SETTING_SERVER: "EEG_COPILOT_SERVER 为 {value!r}；必须以 http:// 或 https:// 开头。",
    english.SETTING_STORE_ON_SPACE: "EEG_COPILOT_STORE 为 on，但 Space 不保存病历：它为陌生人服务。",
    # The walk through the house
    english.STAGES["read"]: "读取文件",
    english.STAGES["clean"]: "清理信号",
    english.STAGES["encode"]: "将脑电转为文本",
    english.STAGES["score"]: "权衡九种情绪",
    english.STAGES["write"]: "撰写评估",
    english.NO_CODEC: "没有名为 {name!r} 的编码方式；请选择其一：{choices}。",
    english.BASELINE_NUMBER: "基线 {number}/{total}",
    english.BASELINE_IS_RECORDING: "它就是该记录本身；请提供同一人的另一份记录，或不提供。",
    english.BASELINE_TWICE: "它与另一份基线记录相同；每份只提供一次。",
    english.BASELINE_UNUSABLE: "第 {number} 份基线记录（共 {total} 份）无法使用：{reason}",
    english.TOO_FEW_KNOWN: "该记录中只有 {count} 个模型认识的电极；至少需要 {least} 个 10-20 系统的电极。",
    english.NOTE_IN_PLACE_OF: "以 {channel} 代替 {name} 读取。",
    english.NOTE_UNTRAINED: "此语言模型{known}；{rest}。",
    english.UNTRAINED: "未针对脑电训练",
    english.PERHAPS_UNTRAINED: "运行在服务器上，可能未针对脑电训练",
    english.RESTS_ON_NOTHING: "没有解码器的证据，它的判读只是猜测",
    english.RESTS_ON_DECODER: "它所说的依据解码器的证据",
    english.NOTE_OTHER_CODEC: "此模型训练时使用的编码方式是 {trained}，而不是 {used}。",
    english.NOTE_NO_BASELINE: "没有提供此人的其他记录；如有，判读会更准确。",
    english.WORDS_LEFT_OUT: "此语言模型只能读英文：用其他文字填写的内容记入病历，但不进入它的提示词。",
    english.NOTE_CUT_OFF: "回答超出允许的长度，末尾被截断。",
    english.TRAINED_WITH_ANOTHER: "此模型训练时的{what}与本程序所用的不同；请勿依据其结果。",
    english.TRAINED_WITH_DECODER: "此模型训练时的解码器与正在使用的不同；请勿依据其结果。",
    english.FED["prompt_version"]: "提示词版本",
    english.FED["labels"]: "标签",
    english.FED["codec_parameters"]: "编码参数",
    english.FED["system"]: "系统提示",
    english.FED["codec"]: "编码方式",
    english.NO_DECODER: "缺少解码器 {name}；请将 EEG_COPILOT_DECODER 设为它的位置。",
    english.NOT_A_DECODER: "{name} 不是本版本能读取的解码器；请运行 `make model`。",
    # The language model
    english.NO_LLAMA: "缺少软件包 llama-cpp-python；请安装 requirements.txt，或设置 EEG_COPILOT_SERVER。",
    english.NO_MODEL_FILE: "{path} 处没有模型文件；请将 EEG_COPILOT_MODEL 设为一个 GGUF 文件。",
    english.NOT_GGUF: "{name} 不是 GGUF 模型文件；请将 EEG_COPILOT_MODEL 设为一个 GGUF 文件。",
    english.MODEL_FILE_DAMAGED: "模型文件 {name} 已损坏或不完整；请重新复制。",
    english.MODEL_UNKNOWN: (
        "模型文件 {name} 已损坏、不完整，或是此版 llama.cpp 不认识的类型；请重新复制，或换一个文件。"
    ),
    english.MODEL_MEMORY: "内存不足以容纳 {context:,} 个词元的上下文；请调低 EEG_COPILOT_CONTEXT。",
    english.MODEL_CLOSED: "模型已关闭；请重新启动程序。",
    english.MODEL_FAILED: "模型处理这段文字时失败；请缩短后重试。",
    english.MODEL_TEMPLATE: "模型的对话模板无法使用（{reason}）；请换一个模型。",
    english.CONTEXT_FULL: "这需要 {needed:,} 个词元，而模型的上下文只能容纳 {context:,} 个；请缩短文字。",
    english.CONTEXT_FULL_FOR_NOW: (
        "这需要 {needed:,} 个词元，而模型的上下文只能容纳 {context:,} 个；请缩短文字，或调高 EEG_COPILOT_CONTEXT。"
    ),
    english.SERVER_SILENT_AT_ONCE: "模型服务器没有给出回答；对话可能超出了它的上下文。",
    english.SERVER_KEY: "模型服务器拒绝了密钥；请将 EEG_COPILOT_SERVER_KEY 设为它接受的密钥。",
    english.SERVER_NO_MODEL: (
        "模型服务器没有模型 {model!r}，或此地址不提供对话；请更正 EEG_COPILOT_SERVER_MODEL 或 EEG_COPILOT_SERVER。"
    ),
    english.SERVER_ERROR: "模型服务器报告错误：{status}，{said}。",
    english.SERVER_NO_REASON: "未说明原因",
    english.SERVER_ADDRESS: "EEG_COPILOT_SERVER 不是地址；它应形如 http://127.0.0.1:11434/v1。",
    english.SERVER_ABSENT: "{server} 处没有模型服务器应答；请启动它，或更正 EEG_COPILOT_SERVER。",
    english.SERVER_SILENT: "{server} 处的模型服务器不再应答；请检查后重试。",
    english.SERVER_BROKE_OFF: "{server} 处的模型服务器中断了回答；请检查后重试。",
    english.SERVER_NO_LABELS: "服务器上的模型没有给出任何标签；请设置 EEG_COPILOT_READOUT=decoder。",
    english.SERVER_NO_PROBABILITIES: "模型服务器不给出概率；请设置 EEG_COPILOT_READOUT=decoder。",
    english.SERVER_PROTOCOL: "该服务器不支持 OpenAI 的对话协议；请更正 EEG_COPILOT_SERVER。",
    # The chat
    english.HOW_SURE["clear"]: (
        "置信度为“明确”：{emotion}的可能性至少是随机水平的两倍，并明显高于其他情绪。即便如此，这样的判读也常常出错。"
    ),
    english.HOW_SURE["leaning"]: ("不太确定。判读只是倾向于{emotion}：其可能性高于随机水平，但其他情绪与它相差不远。"),
    english.HOW_SURE["unclear"]: ("完全不确定。没有任何情绪突出，{emotion}只是九种可能性相近的情绪中排在第一的一个。"),
    english.HOW_SURE_NEUTRAL: "中性状态",
    english.HOW_SURE_THEN: "{answer}条形图显示全部九种概率。本人自己的话更重要，而且这不构成诊断。",
    # The command line
    english.TEN_PROMPTS: "编码方式 wavelet-segments 产生十个提示词，而不是一个；请使用 analyse 或其他编码方式。",
    english.STAGE_ABOUT: "{stage}（约 {seconds} 秒）",
    english.MODEL_BUSY: "正在等待此模型完成另一个回答",
    english.QUALITY: "质量：{trust}，{total} 秒中有 {clean} 秒可用（{percent}）。",
    english.ASSESSMENT_BELOW: "评估：",
    english.MOST_PROBABLE: "最可能：{emotion}（{certainty}）；{three_class}；效价 {valence:+.2f}。",
    english.PROBABILITIES_FROM: "概率来源：{readout}；模型 {model}。",
    english.ASK: "请就这次判读提问；Ctrl-C 停止回答，Ctrl-D 或 exit 退出。",
    english.ANSWER_STOPPED: "已停止。",
    english.READING_QUESTION: "正在读取问题",
    english.PROGRAM_FAULT: "这是程序的错误，请报告：{what}",
}
