with permissions as (
    select * from {{ ref('stg_gold__permissions') }}
),

final as (
    select
        customer_id,
        business_date,
        concat_ws(', ', array_sort(collect_list(permission_kind))) as permissions
    from permissions
    group by customer_id, business_date
)

select * from final
