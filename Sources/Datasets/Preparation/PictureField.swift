import Recipe

/// The keys that data sets of pictures and of prompts share.
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

  /// The color below transparent pixels.
  static func ground<Group: RecipeGroup>(
    _ path: WritableKeyPath<Group, [Int]> & Sendable
  ) -> RecipeField<Group> {
    RecipeField(
      "ground", path,
      where: { $0.count == 3 && $0.allSatisfy { (0...255).contains($0) } },
      else: "it must be red, green and blue from 0 to 255, as in [255, 255, 255]",
      "color below transparent pixels: red, green and blue")
  }

  /// The limit of damaged pictures.
  static func maxDamaged<Group: RecipeGroup>(
    _ path: WritableKeyPath<Group, Int> & Sendable
  ) -> RecipeField<Group> {
    RecipeField(
      "max_damaged", path, in: 0...1 << 30,
      "damaged pictures that are named and left out; one more stops the run")
  }

  static let isSize: @Sendable ([Int]) -> Bool = {
    $0.count == 2 && $0.allSatisfy { (1...1 << 16).contains($0) }
  }

  static let sizeRule = "it must be a height and a width in pixels, as in [512, 512]"
}
