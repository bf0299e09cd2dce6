import Layers
import Tensors

/// The attention of vision towers: patches see the patches of their group.
struct VisionAttention {
  let queries: LinearMap
  let keys: LinearMap
  let values: LinearMap
  let output: LinearMap
  let heads: Int

  init(_ scope: Scope, width: Int, heads: Int) {
    let maps = ["q", "k", "v"].map { scope.linear($0, width, width, from: .embed, to: .heads) }
    (queries, keys, values) = (maps[0], maps[1], maps[2])
    output = scope.linear("proj", width, width, from: .heads, to: .embed)
    self.heads = heads
  }

  /// Patches `[1, patches, width]` to the same shape.
  ///
  /// - Parameter groups: the patches that see each other.
  func callAsFunction(_ x: Tensor, _ groups: [VisionWindows.Groups], _ rotary: Rotary) -> Tensor {
    func split(_ map: LinearMap) -> Tensor {
      map(x).reshape([1, x.shape[1], heads, -1]).sharded(nil, nil, .heads)
    }
    let (q, k, v) = (rotary(split(queries)), rotary(split(keys)), split(values))
    let mixed = groups.map { group in
      func part(_ tokens: Tensor) -> Tensor {
        tokens.slice(1, group.patches)
          .reshape([group.count, group.patches.count / group.count, heads, -1])
      }
      return part(q).attention(keys: part(k), values: part(v))
        .reshape([1, group.patches.count, -1])
    }
    return output(.concatenate(mixed, axis: 1))
  }
}
