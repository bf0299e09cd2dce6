import Layers
import Recipe

extension LoRA: RecipeGroup {
  /// The values of absent keys.
  public static let defaults = LoRA(rank: 1, alpha: 1)

  /// The description in the reference.
  public static let summary = """
    LoRA: each chosen linear map gets the product of two low-rank matrices added to its weight, and
    only these are trained; LoRA needs `start`.
    """

  /// The keys of recipes.
  public static let fields: [Field] = [
    Field("rank", \.rank, in: 1...1 << 16, "rows of A, columns of B").required,
    Field(
      "alpha", \.alpha, where: { $0 > 0 }, else: "it must be above 0",
      "the product BA is multiplied by alpha / rank"
    ).otherwise("the rank") { $0.alpha = Double($0.rank) },
    Field("layers", \.layers, "path components of the maps that get LoRA; all if empty"),
    Field("full", \.full, "path components of weights that are trained in full"),
  ]
}
