with source as (
    select * from {{ source('gold', 'freshness') }}
),

final as (
    select
        block,
        business_date,
        as_of_date,
        is_stale
    from source
    where {{ is_in_run_window('business_date') }}
)

select * from final
