/// The benchmarks of text-to-image models that are generated for and scored.
public enum Benchmark: String, Codable, CaseIterable, Sendable {
  /// GenEval: objects, their number, colors and places, by a detector.
  case geneval
  /// DPG-Bench: long prompts, by questions.
  case dpg
  /// GenEval 2: prompts of up to ten parts, by the probabilities of answers.
  case geneval2
  /// LongText-Bench: long texts in pictures, by a reader.
  case longText = "longtext"
  /// OneIG-Bench: pictures of six kinds; texts in pictures are scored, by a reader.
  case oneIG = "oneig"
  /// Emoji at boxes: objects, their number, colors and places, by a detector of this project.
  case emojiCompositions = "emoji-compositions"

  /// The name in publications.
  public var title: String {
    switch self {
    case .geneval: "GenEval"
    case .dpg: "DPG-Bench"
    case .geneval2: "GenEval 2"
    case .longText: "LongText-Bench"
    case .oneIG: "OneIG-Bench"
    case .emojiCompositions: "emoji-compositions"
    }
  }

  /// The published number of pictures of a prompt.
  public var picturesPerPrompt: Int {
    switch self {
    case .geneval, .dpg, .longText, .oneIG: 4
    case .geneval2: 1
    case .emojiCompositions: 2
    }
  }

  /// The networks that judge its pictures where it is published.
  public var publishedJudge: String {
    switch self {
    case .geneval: "Mask2Former with Swin-S and CLIP ViT-L/14"
    case .dpg: "mPLUG"
    case .geneval2: "Qwen3-VL"
    case .longText, .oneIG: "Qwen2.5-VL"
    case .emojiCompositions: "the detector that this program comes with"
    }
  }

  /// Where the prompts are published, and under which license.
  public var source: String {
    switch self {
    case .geneval: "prompts/evaluation_metadata.jsonl of github.com/djghosh13/geneval (MIT)"
    case .dpg: "dpg_bench/dpg_bench.csv of github.com/TencentQQGYLab/ELLA"
    case .geneval2:
      "geneval2_data.jsonl of github.com/facebookresearch/GenEval2 (CC BY-NC 4.0)"
    case .longText:
      "textbench/text_prompts.jsonl and text_prompts_zh.jsonl of github.com/X-Omni-Team/X-Omni "
        + "(Apache 2.0)"
    case .oneIG: "OneIG-Bench.csv of github.com/OneIG-Bench/OneIG-Benchmark"
    case .emojiCompositions: "twinflow data emoji-scenes"
    }
  }

  /// The file of prompts that this program comes with, nil for none.
  public var shipped: String? {
    switch self {
    case .geneval: "Assets/benchmarks/geneval/evaluation_metadata.jsonl"
    case .longText: "Assets/benchmarks/longtext/text_prompts.jsonl"
    case .emojiCompositions: "Assets/benchmarks/emoji-compositions/prompts.jsonl"
    case .dpg, .geneval2, .oneIG: nil
    }
  }

  /// What is found in pictures, and the file of a run that holds it.
  public var findings: (name: String, file: String) {
    switch self {
    case .geneval, .emojiCompositions: ("detections", "detections.jsonl")
    case .dpg, .geneval2: ("answers", "answers.jsonl")
    case .longText, .oneIG: ("texts", "texts.jsonl")
    }
  }

  /// Whether all pictures of a prompt are in one file, two in a row.
  var usesGrids: Bool { self == .dpg || self == .oneIG }
}
