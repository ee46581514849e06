with source as (
    select * from {{ source('gold', 'branches') }}
),

final as (
    select
        branch_id,
        business_date,
        branch_name,
        region_name
    from source
    where {{ is_in_run_window('business_date') }}
)

select * from final
