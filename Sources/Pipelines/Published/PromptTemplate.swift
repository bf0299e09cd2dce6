import Models

/// The text around a prompt that a pipeline gives to its text encoder, and what it takes of the result.
public struct PromptTemplate: Hashable, Sendable {
  /// The text before the prompt.
  public let before: String
  /// The text after the prompt.
  public let after: String
  /// The number of tokens at the start of the text whose features are dropped.
  public let dropped: Int
  /// The largest number of tokens that are kept after those.
  public let limit: Int
  /// Which hidden state of the encoder the features are.
  public let layer: Layer
  /// The text for an image before the prompt, by its number from 1; nil where images are not taken.
  public let image: ImageText?

  /// Whether the tokenizer adds the special tokens that its model expects around a text.
  public var addsSpecialTokens = false
  /// Whether the text before a prompt is an instruction: of its tokens, which the tokenizer counts, the
  /// features of all but the first and the last one are dropped, and the limit is on what is kept.
  public var hasInstruction = false
  /// Whether prompts are in lower case and without white space around them.
  public var lowercases = false
  /// Whether prompts are without white space around them.
  public var strips = false
  /// The text before an empty prompt, which stands for none; nil for the same as before others.
  public var beforeNone: String?
  /// Whether of a text that is too long the prompt is cut, and not what is behind it.
  public var keepsEnd = false

  /// A hidden state of a text encoder.
  public enum Layer: Hashable, Sendable {
    /// The last one, after the final norm.
    case last
    /// The one before the last layer, without the final norm.
    case beforeLast
  }

  /// The text for an image.
  public enum ImageText: Hashable, Sendable {
    /// The image's tokens alone.
    case plain
    /// The image's tokens after `Picture 1: `.
    case numbered
  }

  /// The text for a prompt with a number of images.
  ///
  /// Each image is one `<|image_pad|>`, which the image processor repeats for each of its tokens.
  public func text(_ prompt: String, images count: Int = 0) -> String {
    let pictures = (0..<count).map { number in
      (image == .numbered ? "Picture \(number + 1): " : "")
        + "<|vision_start|><|image_pad|><|vision_end|>"
    }
    return (prompt.isEmpty ? beforeNone ?? before : before) + pictures.joined() + spelled(prompt)
      + after
  }

  /// A prompt as it stands in the text.
  private func spelled(_ prompt: String) -> String {
    lowercases ? prompt.lowercasedAsPublished : strips ? prompt.strippedAsPublished : prompt
  }

  /// The same without the instruction.
  package var withoutInstruction: PromptTemplate {
    guard hasInstruction else { return self }
    var template = PromptTemplate.plain(limit: limit)
    template.lowercases = lowercases
    return template
  }

  private init(
    system: String?, task: String = "", answer: String = "", dropped: Int = 0, limit: Int,
    layer: Layer, image: ImageText? = nil
  ) {
    let system = system.map { "<|im_start|>system\n\($0)<|im_end|>\n" } ?? ""
    before = system + "<|im_start|>user\n" + task
    after = "<|im_end|>\n<|im_start|>assistant\n" + answer
    (self.dropped, self.limit, self.layer, self.image) = (dropped, limit, layer, image)
  }

  private init(before: String = "", limit: Int) {
    (self.before, after, dropped, layer, image) = (before, "", 0, .last, nil)
    (self.limit, addsSpecialTokens) = (limit, true)
  }

  /// The prompt alone, with the special tokens of the text encoder.
  ///
  /// - Parameter limit: the largest number of tokens, the special ones included.
  public static func plain(limit: Int) -> PromptTemplate { PromptTemplate(limit: limit) }

  /// Qwen-Image's.
  public static let qwenImage = PromptTemplate(
    system: "Describe the image by detailing the color, shape, size, texture, quantity, text, "
      + "spatial relationships of the objects and background:",
    dropped: 34, limit: 1024, layer: .last)

  /// That of Qwen-Image-Edit, and of its successor, which numbers images.
  public static func qwenImageEdit(_ image: ImageText) -> PromptTemplate {
    PromptTemplate(
      system: "Describe the key features of the input image (color, shape, size, texture, objects, "
        + "background), then explain how the user's text instruction should alter or modify the "
        + "image. Generate a new image that meets the user's requirements while maintaining "
        + "consistency with the original input where appropriate.",
      dropped: 64, limit: .max, layer: .last, image: image)
  }

  /// Z-Image's: Qwen3's chat template with thinking enabled.
  public static let zImage = PromptTemplate(
    system: nil, dropped: 0, limit: 512, layer: .beforeLast)

  /// OpenUni's: a task in the chat template of InternVL3, and the mark of an image as the answer's beginning.
  /// The limit is that of OpenUni's texts with images; its code has none for others.
  public static let openUni: PromptTemplate = {
    var template = PromptTemplate(
      system: nil, task: "Generate an image: ", answer: "<img>", limit: 2048, layer: .last)
    template.beforeNone = "<|im_start|>user\nGenerate an image."
    (template.strips, template.keepsEnd) = (true, true)
    return template
  }()

  /// SANA's, with the instruction to enhance a prompt, which the encoder reads and does not follow.
  public static let sana: PromptTemplate = {
    let lines = [
      "Given a user prompt, generate an 'Enhanced prompt' that provides detailed visual descriptions "
        + "suitable for image generation. Evaluate the level of detail in the user prompt:",
      "- If the prompt is simple, focus on adding specifics about colors, shapes, sizes, textures, and "
        + "spatial relationships to create vivid and concrete scenes.",
      "- If the prompt is already detailed, refine and enhance the existing details slightly without "
        + "overcomplicating.",
      "Here are examples of how to transform or refine prompts:",
      "- User Prompt: A cat sleeping -> Enhanced: A small, fluffy white cat curled up in a round shape, "
        + "sleeping peacefully on a warm sunny windowsill, surrounded by pots of blooming red flowers.",
      "- User Prompt: A busy city street -> Enhanced: A bustling city street scene at dusk, featuring "
        + "glowing street lamps, a diverse crowd of people in colorful clothing, and a double-decker "
        + "bus passing by towering glass skyscrapers.",
      "Please generate only the enhanced description for the prompt below and avoid including any "
        + "additional commentary or evaluations:",
      "User Prompt: ",
    ]
    var template = PromptTemplate(
      before: lines.joined(separator: "\n"), limit: SanaConfig.longestText)
    (template.hasInstruction, template.lowercases) = (true, true)
    return template
  }()
}
