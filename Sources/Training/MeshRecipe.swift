import Recipe
import Tensors

extension Mesh: RecipeGroup {
  /// The values of absent keys.
  public static let defaults = Mesh()

  /// The description in the reference.
  public static let summary = "The run is one program over `data × fsdp × tensor` devices."

  /// The keys of recipes.
  public static let fields: [Field] = [
    Field("data", \.data, in: 1...1 << 16, "copies of the weights, each for other samples"),
    Field(
      "fsdp", \.fsdp, in: 1...1 << 16,
      "devices that weights, gradients and moments are sharded over"),
    Field(
      "tensor", \.tensor, in: 1...1 << 16,
      "devices that heads and hidden features are sharded over"),
  ]
}
