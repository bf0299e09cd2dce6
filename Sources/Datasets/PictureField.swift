import Recipe

/// The keys that data sets of prompts share.
enum PictureField {
  /// A height and width in pixels.
  static func size<Group: RecipeGroup>(
    _ path: WritableKeyPath<Group, [Int]> & Sendable, _ meaning: String
  ) -> RecipeField<Group> {
    RecipeField("size", path, where: isSize, else: sizeRule, meaning).required
  }

  /// The length of texts.
  static func textTokens<Group: RecipeGroup>(
    _ path: WritableKeyPath<Group, Int?> & Sendable
  ) -> RecipeField<Group> {
    RecipeField(
      "text_tokens", path, in: 1...1 << 16,
      "tokens that texts are padded to; by default a multiple of 64 for the longest one")
  }

  static let isSize: @Sendable ([Int]) -> Bool = {
    $0.count == 2 && $0.allSatisfy { (1...1 << 16).contains($0) }
  }

  static let sizeRule = "it must be a height and a width in pixels, as in [512, 512]"
}
